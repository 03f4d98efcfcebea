"""In every process of a fake image: the host has the name of the pod, whose processes it has."""

import os
import socket

socket.gethostname = lambda: os.environ["HOSTNAME"]
