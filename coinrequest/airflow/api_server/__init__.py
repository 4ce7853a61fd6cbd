"""What stands around Airflow's whole web server, its own routes included: sign-in, rights, bodies, origins, runs."""
