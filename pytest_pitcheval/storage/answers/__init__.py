"""What LMs and tools have answered, kept outside of any cache: an archive of one run, or a folder to be committed."""
