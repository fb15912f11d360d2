"""One library a file: ``build(task, precision)`` gives its training step in its best way."""
