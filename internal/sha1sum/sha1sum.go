// Package sha1sum computes SHA-1 where a protocol or a product identifies something by it,
// which protects nothing. Under GODEBUG=fips140=only, crypto/sha1 panics; what needs it is an
// error here.
package sha1sum

import (
	"crypto/fips140"
	"crypto/sha1" //nolint:gosec // see above
	"errors"
)

// Size is the length of a sum in bytes.
const Size = sha1.Size

// OfNothing is the sum of no bytes at all, RFC 3174 being the definition.
const OfNothing = "\xda\x39\xa3\xee\x5e\x6b\x4b\x0d\x32\x55\xbf\xef\x95\x60\x18\x90\xaf\xd8\x07\x09"

// ErrUnavailable says that this program may not compute it.
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
