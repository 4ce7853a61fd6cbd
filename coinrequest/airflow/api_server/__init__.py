"""Extensions of Airflow's API server that also cover its own routes: sign-in, rights, middlewares, checks of runs."""
