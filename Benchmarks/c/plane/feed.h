// Frames from the host's side of a tap.
#pragma once

enum { most_bytes = 65535 };

// To an address that is nobody's, of an Ethertype for experiments: the network drops it.
extern const unsigned char nobodys[14];

// Sends so many frames of so many bytes to the tap, whose queue must have room for them, past its queueing discipline.
void feed(const char *tap, int bytes, int count);
