"""How installed components, hooks and optional packages are found."""
