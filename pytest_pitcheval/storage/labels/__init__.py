"""Labels on disk: files of rows, and the pictures and sounds beside them."""
