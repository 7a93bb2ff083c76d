"""`python -m partners NAME` runs one of the bundled partner services alone, without a broker."""

from partners.process import main

if __name__ == "__main__":
    main("partners")
