// Frames from the host's side of a tap.
#pragma once

enum { most_bytes = 65535 };

// The headers of a frame of so many bytes, to an address that is nobody's: the network drops it. Each pair's is a UDP flow of its
// own, as it is in life: tun keeps for each flow the queue that it came from last.
void flow(char *frame, int bytes, int pair);

// Sends so many frames of pair 0's flow to the tap, whose queue must have room for them, past its queueing discipline.
void feed(const char *tap, int bytes, int count);
