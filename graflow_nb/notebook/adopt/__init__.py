"""An ordinary notebook becomes a flow: which cells can be tasks, which belong together, what names must change."""
