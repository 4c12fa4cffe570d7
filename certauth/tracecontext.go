package certauth

import (
	"net/http"
	"strings"
)

// traceID returns the trace-id of the traceparent header, or "" unless there is exactly one
// and it is valid by the grammar of W3C Trace Context, sections 3.2.2 and 3.2.2.3 to 3.2.2.5:
//
//	version "-" trace-id "-" parent-id "-" trace-flags
//
// of 2, 32, 16 and 2 hex digits in lower case. Version ff, and ids of zeros alone, are
// invalid. Version 00 ends there; a later one may go on behind another "-" (section 3.2.4).
func traceID(header http.Header) string {
	lines := header["Traceparent"]
	if len(lines) != 1 {
		return ""
	}
	const length = 2 + 1 + 32 + 1 + 16 + 1 + 2
	text := lines[0]
	if len(text) < length || text[2] != '-' || text[35] != '-' || text[52] != '-' {
		return ""
	}
	version, trace, parent, flags := text[:2], text[3:35], text[36:52], text[53:55]
	if !isLowerHex(version) || version == "ff" || !isLowerHex(flags) || !isTraceIdentifier(trace) || !isTraceIdentifier(parent) {
		return ""
	}
	if len(text) > length && (version == "00" || text[length] != '-') {
		return ""
	}
	return trace
}

func isLowerHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }

// isTraceIdentifier wants hex digits that are not all zero.
func isTraceIdentifier(s string) bool { return isLowerHex(s) && strings.Trim(s, "0") != "" }
