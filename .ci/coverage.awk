# Statement coverage of single packages from a profile of several test programs:
#   awk -v min=90.0 -v want="PACKAGE PACKAGE" -f coverage.awk PROFILE
# A block appears in the profile once for each test program; it counts as covered when any of them reached it.

/^mode:/ { next }

{
	statements[$1] = $2
	if ($3 > 0) covered[$1] = 1
}

END {
	for (block in statements) {
		package = block
		sub(/:[^:]*$/, "", package)   # the position
		sub(/\/[^\/]*$/, "", package) # the file
		total[package] += statements[block]
		if (block in covered) hit[package] += statements[block]
	}
	n = split(want, wanted, " ")
	for (i = 1; i <= n; i++) {
		package = wanted[i]
		if (total[package] == 0) {
			printf "coverage: %s: no statements in the profile\n", package
			bad = 1
			continue
		}
		low = 100 * hit[package] < min * total[package]
		printf "coverage: %s: %.1f%% of %d statements, want %.1f%%%s\n", package, 100 * hit[package] / total[package], total[package], min, low ? ": too low" : ""
		if (low) bad = 1
	}
	if (n == 0) bad = 1
	exit bad
}
