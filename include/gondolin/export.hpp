// What the shared library exports: classes and functions marked so, nothing else.
#pragma once

// Marks what the shared library shows.
#define GONDOLIN_API __attribute__((visibility("default")))
