"""Where state and bytes are kept: ports by owner in `stores/`, SQLite beside them, blobs in a folder."""
