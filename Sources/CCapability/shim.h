// libcap: capability sets of this process.
#pragma once
#include <sys/capability.h>
