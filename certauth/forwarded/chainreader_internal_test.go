package forwarded

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// The certificates besides the leaf are counted and measured before any is decoded or looked up:
// ten certificates and 64 KiB in total (RFC 9440, section 4, leaves the limits to the
// implementation).
func TestChainReader_CountsAndMeasuresFirst(t *testing.T) {
	numbered := func(format ChainFormat, values ...string) http.Header {
		header := http.Header{}
		for i, value := range values {
			header.Set(chainReader{format: format, name: "X-Chain"}.numbered(i), value)
		}
		return header
	}
	times := func(n int, value string) []string {
		var list []string
		for range n {
			list = append(list, value)
		}
		return list
	}
	of := func(values ...string) http.Header { return http.Header{"X-Chain": values} }
	x := func(n int) string { return strings.Repeat("x", n) }
	const list, whole, base64, spaced = ChainByteSequenceList, ChainBase64Concatenated, ChainBase64Numbered, ChainSpacedPEMNumbered
	for name, tc := range map[string]struct {
		format ChainFormat
		header http.Header
		texts  int
		want   string // in the error
	}{
		"no chain header is read":              {ChainUnspecified, of("a"), 0, ""},
		"a list, absent":                       {list, http.Header{}, 0, ""},
		"a list, empty":                        {list, of(""), 0, ""},
		"a list, three lines, all empty":       {list, of("", "", ""), 0, ""},
		"a list on one line":                   {list, of("a"), 1, ""},
		"a list on two lines":                  {list, of("a", "b"), 2, ""},
		"a list on two lines, one of it empty": {list, of("", "b"), 2, ""},
		"a list on ten lines":                  {list, of(times(10, "a")...), 10, ""},
		"a list on eleven lines":               {list, of(times(11, "a")...), 0, "11 lines, want at most 10"},
		"a list of 64 KiB":                     {list, of(x(maxChainHeader)), 1, ""},
		"a list of 64 KiB and a byte":          {list, of(x(maxChainHeader + 1)), 0, "65537 bytes, want at most 65536"},
		"two lines of 64 KiB with the comma":   {list, of(x(1000), x(maxChainHeader-1001)), 2, ""},
		"two lines of a byte more":             {list, of(x(1000), x(maxChainHeader-1000)), 0, "65537 bytes, want at most 65536"},
		"one text, absent":                     {whole, http.Header{}, 0, ""},
		"one text, empty":                      {whole, of(""), 0, ""},
		"one text":                             {whole, of("a"), 1, ""},
		"one text twice":                       {whole, of("a", "a"), 0, "2 values, want 1"},
		"numbered, none":                       {base64, http.Header{}, 0, ""},
		"numbered, up to the first empty one":  {base64, numbered(base64, "a", "", "b"), 1, ""},
		"numbered, ten":                        {base64, numbered(base64, times(10, "a")...), 10, ""},
		"numbered, eleven":                     {base64, numbered(base64, times(11, "a")...), 0, "more than 10 certificates"},
		"numbered, one of them twice":          {base64, http.Header{"X-Chain_0": {"a"}, "X-Chain_1": {"a", "b"}}, 0, "X-Chain_1: 2 values, want 1"},
		"numbered, null is a word there":       {base64, numbered(base64, "a", "(null)"), 2, ""},
		"numbered, 64 KiB":                     {base64, numbered(base64, x(1000), x(maxChainHeader-1000)), 2, ""},
		"numbered, a byte more":                {base64, numbered(base64, x(1000), x(maxChainHeader-999)), 0, "more than 65536 bytes in total"},
		"spaced PEM, ten":                      {spaced, numbered(spaced, times(10, "a")...), 10, ""},
		"spaced PEM, eleven":                   {spaced, numbered(spaced, times(11, "a")...), 0, "more than 10 certificates"},
		"spaced PEM, up to null":               {spaced, numbered(spaced, "a", "(null)", "b"), 1, ""},
		"spaced PEM, none but null":            {spaced, numbered(spaced, "(null)"), 0, ""},
		"a format that is not known":           {99, of("a"), 0, "chain format is not known"},
	} {
		t.Run(name, func(t *testing.T) {
			header := http.Header{}
			for key, values := range tc.header {
				header[http.CanonicalHeaderKey(key)] = values
			}
			o := source.Key{"leaf"}.Offer()
			err := chainReader{format: tc.format, name: "X-Chain"}.prepared().offer(header, &o)
			if tc.want != "" {
				assert.ErrorContains(t, err, tc.want)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, 1+tc.texts, o.Len())
		})
	}
}

// Every header that is read is known by name before the first request, so that it can be removed
// from every request. This includes the eleventh numbered header, which is never read.
func TestChainReader_NamesEveryHeader(t *testing.T) {
	names := func(format ChainFormat) []string { return chainReader{format: format, name: "X-Chain"}.headers() }
	assert.Empty(t, names(ChainUnspecified))
	assert.Equal(t, []string{"X-Chain"}, names(ChainByteSequenceList))
	assert.Equal(t, []string{"X-Chain"}, names(ChainBase64Concatenated))
	var underscored, plain []string
	for i := range 11 {
		underscored, plain = append(underscored, "X-Chain_"+strconv.Itoa(i)), append(plain, "X-Chain"+strconv.Itoa(i))
	}
	assert.Equal(t, underscored, names(ChainBase64Numbered))
	assert.Equal(t, plain, names(ChainSpacedPEMNumbered))
}
