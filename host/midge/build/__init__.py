"""From C to an image: compilers found, firmware compiled, the ELF file taken apart."""
