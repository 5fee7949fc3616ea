// libseccomp: which system calls this process may still make.
#pragma once
#include <linux/seccomp.h>
#include <seccomp.h>
