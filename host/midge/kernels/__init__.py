"""HOW an operator is computed: `<op>/<variant>.py` decides, `templates/kernels/<op>/<variant>.c.j2` prints."""
