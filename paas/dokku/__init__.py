"""Reading an existing Dokku host, from its data directories or over ssh, to recreate its apps."""
