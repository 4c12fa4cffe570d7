package fetch

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// finding K20: OCSPTimeout and CRLTimeout could not be raised above two seconds to the first byte.
func TestHTTPFetcher_WaitsForHeadersAsLongAsItIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		options HTTPOptions
		want    time.Duration
	}{
		"by default":            {HTTPOptions{}, DefaultOCSPTimeout},
		"OCSPTimeout":           {HTTPOptions{OCSPTimeout: 20 * time.Second}, 20 * time.Second},
		"CRLTimeout":            {HTTPOptions{CRLTimeout: 40 * time.Second}, 40 * time.Second},
		"shorter ones":          {HTTPOptions{OCSPTimeout: time.Second, CRLTimeout: 2 * time.Second}, DefaultOCSPTimeout},
		"the longer of the two": {HTTPOptions{OCSPTimeout: 10 * time.Second, CRLTimeout: 5 * time.Second}, 10 * time.Second},
	} {
		f, err := NewHTTPFetcher(c.options)
		require.NoError(t, err, name)
		for _, transport := range []http.RoundTripper{f.strict, f.configured} {
			assert.Equal(t, c.want, transport.(*http.Transport).ResponseHeaderTimeout, name)
		}
	}
}
