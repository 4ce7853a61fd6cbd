"""`coinrequest new action`: writes a package with an action, to start from."""
