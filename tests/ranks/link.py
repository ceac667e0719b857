#!/usr/bin/env python3
"""link.py NAMESPACE NAMESPACE MILLISECONDS: a cable between two network namespaces.

Makes a device link0 in each and hands every packet on so many milliseconds after it was
sent, as a long cable does; prints "ready" and runs until it is killed. For kernels
without netem.
"""
import collections
import fcntl
import os
import select
import struct
import subprocess
import sys
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000  # linux/if_tun.h
LARGEST = 60000  # bytes of a packet: few of them, for a program that is slow


def device(namespace):
    """A descriptor that gives what is sent from link0 of the namespace, and takes what it
    is to receive."""
    name = "mae%d" % (os.getpid() % 10**9)
    end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    for command in (["link", "set", name, "mtu", str(LARGEST), "netns", namespace],
                    ["-n", namespace, "link", "set", name, "name", "link0"]):
        subprocess.run(["ip"] + command, check=True)
    return end


def take(end, queue, delay):
    """Put what was sent into the queue, with the time when it has to arrive."""
    try:
        while True:
            queue.append((time.monotonic() + delay, os.read(end, LARGEST + 100)))
    except BlockingIOError:
        pass


def give(end, queue):
    """Packets that are due; a device that is down loses them."""
    while queue and queue[0][0] <= time.monotonic():
        try:
            os.write(end, queue.popleft()[1])
        except OSError:
            pass


def main():
    ends = [device(sys.argv[1]), device(sys.argv[2])]
    delay = float(sys.argv[3]) / 1e3
    queues = [collections.deque(), collections.deque()]  # on the way to each end
    print("ready", flush=True)
    while True:
        due = min((queue[0][0] for queue in queues if queue), default=time.monotonic() + 1)
        readable = select.select(ends, [], [], max(0.0, due - time.monotonic()))[0]
        for i in (0, 1):
            if ends[i] in readable:
                take(ends[i], queues[1 - i], delay)
        for i in (0, 1):
            give(ends[i], queues[i])


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main()
