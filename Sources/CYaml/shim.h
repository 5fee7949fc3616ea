// libyaml: YAML 1.1's events with their places, and so JSON's.
#pragma once
#include <yaml.h>
