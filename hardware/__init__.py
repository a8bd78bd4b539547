"""What is bolted to the kiosk; knows nothing of questionnaires."""
