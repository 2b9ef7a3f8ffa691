"""How a cassette of VCR.py's kind becomes text, and text a cassette: by default YAML, or JSON."""
