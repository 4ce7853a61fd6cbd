"""One statement on one database, for `sql.query`: parameters, sessions by kind of database, values as JSON."""
