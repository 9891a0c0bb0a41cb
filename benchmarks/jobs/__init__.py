"""The jobs in Holdfast; each has its twin of the same name in benchmarks/js."""
