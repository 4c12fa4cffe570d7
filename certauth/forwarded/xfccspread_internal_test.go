package forwarded

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// The sample of a value decides where it is looked for in the cache. It is the hash in the element
// that is read, as the proxy wrote it, because a client that chooses it could fill one place.
func TestXFCC_TheSampleIsTheHashOfTheElementThatIsRead(t *testing.T) {
	digest := func(c string) string { return strings.Repeat(c, 64) }
	text := func(hashes ...string) string {
		return `By=a;Hash=` + strings.Join(hashes, `;Cert="c",By=a;Hash=`) + `;Cert="c"`
	}
	inJSON := func(hashes ...string) string {
		return `[{"hash":"` + strings.Join(hashes, `","cert":"c"},{"hash":"`) + `","cert":"c"}]`
	}
	for name, form := range map[string]struct {
		json bool
		of   func(...string) string
	}{"text": {false, text}, "JSON": {true, inJSON}} {
		t.Run(name, func(t *testing.T) {
			a, b, c := digest("a"), digest("b"), digest("c")
			for hops, want := range []string{c, c, b, a} {
				assert.Equal(t, want, xfccReader{hops: hops, json: form.json}.spread(form.of(a, b, c)), "hops %d", hops)
			}
			alone := form.of(a)
			assert.Equal(t, a, xfccReader{json: form.json}.spread(alone))
			assert.Equal(t, alone, xfccReader{hops: 2, json: form.json}.spread(alone), "fewer elements than hops")
			assert.Equal(t, "By=a", xfccReader{json: form.json}.spread("By=a"))
		})
	}
	assert.Equal(t, "ab", xfccReader{}.spread("Hash=ab"), "a short one ends with the value")
}
