"""The shared kernel: records, sealing, the log, messages. No I/O, nothing else of ours."""
