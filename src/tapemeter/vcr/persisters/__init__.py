"""Where cassettes of VCR.py's kind are kept: by default, in files."""
