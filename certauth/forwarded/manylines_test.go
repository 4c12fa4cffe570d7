package forwarded_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// finding S13: the cost of a request grows with its bytes and not with their square, in whichever
// of the source's headers they are, as many lines or as one. Anybody who can reach the port can
// send them, so this holds for senders that the gate refuses too. HTTP/2 does not remove spaces at
// the end of a value.
func TestLimits_ManyLinesOfAHeaderCostLittle(t *testing.T) {
	p := newPartner(t)
	const lines, line = 10_000, 2 * 16 // a string header per line, copied twice
	for _, d := range presets() {
		t.Run(d.name, func(t *testing.T) {
			s := newStand(t, certauth.Config{Source: d.source(fromTens()), Policy: certauth.Chain{Roots: certauth.Certificates(p.ca.Certificate)}})
			for _, name := range headersOf(t, d.source(fromTens())) {
				for _, value := range []string{"a", "a ", "(null)\t", " ", ""} {
					many := make([]string, lines)
					for i := range many {
						many[i] = value
					}
					for kind, hostile := range map[string][]string{"many lines": many, "one long line": {strings.Repeat(value, 1<<20/max(1, len(value)))}} {
						for from, address := range map[string]string{"the front end": "10.1.2.3:1", "a stranger": "203.0.113.9:1"} {
							r := d.request(p.client.Certificate)
							put(name, hostile...)(r)
							r.RemoteAddr = address
							r = overSocket(t, r)
							cost := bytesPerRun(1, func() { _, _ = s.required.Check(r) })
							assert.LessOrEqual(t, cost, uint64(lines*line+256<<10), "%s: %s of %q from %s", name, kind, value, from)
						}
					}
				}
			}
		})
	}
}

// finding S32: a long X-AppService-Proto was searched for keys before the request was refused, which took a
// tenth of a second of processor time and 24 times the length of the header in memory, whoever sent it.
func TestLimits_LongEvidenceOfThePlatformCostsLittle(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	auth, err := certauth.New(certauth.Config{Source: forwarded.AppService{}, Policy: p.chain()})
	require.NoError(t, err)
	for _, name := range []string{"X-Appservice-Proto", "X-Arr-Ssl", "X-Arr-Log-Id"} {
		for kind, hostile := range map[string][]string{
			"one value":   {strings.Repeat("M+", 1<<19)},
			"four values": {strings.Repeat("M+", 1<<17), strings.Repeat("-3", 1<<17), strings.Repeat("M/", 1<<17), strings.Repeat("_M", 1<<17)},
		} {
			r := arriving()
			r.Header[name] = hostile
			var err error
			cost := bytesPerRun(1, func() { _, err = auth.Check(r) })
			assert.Equal(t, certauth.ReasonCertificateMissing, reasonOf(err))
			assert.LessOrEqual(t, cost, uint64(64<<10), "%s, %s", name, kind)
		}
	}
}

// finding S38: so was a long RemoteAddr, which middleware writes from a header of the client.
func TestLimits_ALongRemoteAddrCostsLittle(t *testing.T) {
	p := newPartner(t)
	auth, err := certauth.New(certauth.Config{Source: forwarded.Nginx{From: forwarded.InsecureRemoteAddr("10.0.0.0/8")}, Policy: p.chain()})
	require.NoError(t, err)
	r := arriving()
	r.RemoteAddr = strings.Repeat("M+", 1<<19)
	r.Header["X-Client-Cert"] = []string{"a"}
	var refused error
	cost := bytesPerRun(1, func() { _, refused = auth.Check(r) })
	assert.Equal(t, certauth.ReasonSourceUntrusted, reasonOf(refused))
	assert.LessOrEqual(t, cost, uint64(64<<10))
	assert.ErrorContains(t, refused, `RemoteAddr "M+M+`)
}
