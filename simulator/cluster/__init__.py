"""The population sharded over Ray actors. Only `connecting` knows how Ray is reached; nothing is imported of it before it is asked for."""
