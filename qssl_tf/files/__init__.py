"""Files and folders: read without trust, written in one step, locked, linked and vouched for."""
