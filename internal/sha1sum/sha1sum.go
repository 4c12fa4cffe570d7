// Package sha1sum computes SHA-1 where a protocol or a product uses it as an identifier that
// protects nothing. Under GODEBUG=fips140=only, crypto/sha1 panics; this package returns an error
// instead.
package sha1sum

import (
	"crypto/fips140"
	"crypto/sha1" //nolint:gosec // see above
	"errors"
)

// Size is the length of a sum in bytes.
const Size = sha1.Size

// OfNothing is the SHA-1 sum of no bytes (RFC 3174).
const OfNothing = "\xda\x39\xa3\xee\x5e\x6b\x4b\x0d\x32\x55\xbf\xef\x95\x60\x18\x90\xaf\xd8\x07\x09"

// ErrUnavailable reports that this program may not compute SHA-1.
var ErrUnavailable = errors.New("SHA-1 is not available under GODEBUG=fips140=only")

// Available reports whether Of works.
func Available() bool { return !fips140.Enforced() }

// Of returns the sum, or [ErrUnavailable].
func Of(data []byte) ([Size]byte, error) {
	if !Available() {
		return [Size]byte{}, ErrUnavailable
	}
	return sha1.Sum(data), nil //nolint:gosec // see above
}
