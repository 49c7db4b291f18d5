# Reads the three events of /events from the gateway and prints how many seconds
# lay between the first and the last line that arrived.
import sys
import time
import urllib.request

with urllib.request.urlopen(sys.argv[1], timeout=60) as response:
    times = []
    for line in response:
        if line.startswith(b"data:"):
            times.append(time.monotonic())
print(len(times), times[-1] - times[0])
