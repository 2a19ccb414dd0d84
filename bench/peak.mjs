// Loaded into the process that is measured: says at its end how much memory it ever had.
process.on("exit", () => process.send?.(process.resourceUsage().maxRSS * 1024))
