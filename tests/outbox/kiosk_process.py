"""A process that puts records, one after the other, and says each seq once it is safe.

Run as ``kiosk_process.py STORE COUNT``; once it says that it is ready, it takes the store's key
from stdin, in hexadecimal.
"""

import os
import sys
from pathlib import Path

from sync_service.outbox.database import StoreKey, open_store
from sync_service.outbox.outbox import Outbox

print("ready", flush=True)
outbox = Outbox(open_store(Path(sys.argv[1]), StoreKey(bytes.fromhex(sys.stdin.readline()))))
for _ in range(int(sys.argv[2])):
    print(outbox.put(os.urandom(121), half_day=0), flush=True)
