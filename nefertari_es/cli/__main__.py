"""``python -m nefertari_es.cli``: the same as ``nefertari-es``."""

from nefertari_es.cli import main

if __name__ == "__main__":
    main(prog_name="nefertari-es")
