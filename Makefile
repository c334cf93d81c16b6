# The whole of it in a word each. The scripts do the work and also run without make.

.PHONY: demo test release bench lint format clean

# Records ten seconds of a real busy program and prints its hottest functions. Recording needs root.
demo:
	@scripts/demo

# Installs what is missing, builds, and runs every test there is.
test:
	@scripts/test

# dist/pyrorec: one static file for any Linux of this architecture.
release:
	@scripts/release

# A table of ratios to perf and lz4, measured side by side. Needs root and linux-perf.
bench:
	@Benchmarks/run

# What `swift format` has to say; changes nothing.
lint:
	@swift format lint --strict --recursive --parallel Package.swift Plugins Sources Tests Benchmarks

format:
	@swift format format --in-place --recursive --parallel Package.swift Plugins Sources Tests Benchmarks

clean:
	rm -rf .build dist fixtures/programs/out
