"""Files and folders: `watch` reads and watches them, `convert` says (purely) what was read means."""
