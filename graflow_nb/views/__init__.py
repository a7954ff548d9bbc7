"""Pictures and text: a flow and its statuses in, SVG, HTML or text out. Pure."""
