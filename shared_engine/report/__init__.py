"""One self-contained page about many runs: `shared_engine.report.page.write_report`."""
