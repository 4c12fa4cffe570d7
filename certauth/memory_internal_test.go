package certauth

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/internal/factcache"
	"github.com/seed2886b8ae/go-certauth/internal/pins"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// identities returns n remembered certificates after a first visit, each with its text, its parsed
// form, its chain and its identity.
func identities(t *testing.T, n int) *factcache.Cache[facts, *facts] {
	t.Helper()
	ca := certauthtest.NewCA(t, "Root")
	leaf := ca.Issue(t, "client", certauthtest.DNS("orders.partner.example", "billing.partner.example"))
	auth := &Authenticator{cache: newFactCache(n), source: &source.Reader{Name: "test"}}
	text := leaf.Base64()
	for i := range n {
		cert, err := x509.ParseCertificate(slices.Clone(leaf.Raw))
		require.NoError(t, err)
		f, refused := newFacts([]*x509.Certificate{cert})
		require.Nil(t, refused)
		f.Key, f.Hash = source.Key{text[:len(text)-10] + strconv.Itoa(i)}, uint64(i)*0x9E3779B97F4A7C15
		chain := newVerifiedChain([]*x509.Certificate{cert, ca.Certificate})
		f.answers.first.Store(&chainAnswer{chains: []*verifiedChain{chain}})
		e := &evaluation{owner: auth, facts: f}
		e.vouched, e.chains = vouchedNames, []*verifiedChain{chain}
		e.identity()
		auth.cache.Insert(f)
	}
	return auth.cache
}

// With the parsed certificate, each takes at most 7.5 kB.
func TestMemory_OfAnIdentity(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	const n = 4096
	before := heap()
	c := identities(t, n)
	each := float64(heap()-before) / float64(c.Len())
	t.Logf("%d identities of %.0f bytes", c.Len(), each)
	assert.Less(t, each, 7500.0)
	assert.Greater(t, c.Len(), n*9/10)
	runtime.KeepAlive(c)
}

// The garbage collector scans objects of up to 512 bytes in batches. The memory for each caller
// stays below that size: above it, a collection took three times as long.
func TestMemory_OfFactsAlone(t *testing.T) {
	assert.LessOrEqual(t, unsafe.Sizeof(facts{}), uintptr(512))
}

// TestGCKeep compares the cost of remembered identities for a full collection with that of their
// parsed certificates alone. Everything around them is smaller.
//
// finding N1: it compares times, so it failed on a busy machine. It runs only on demand.
func TestGCKeep(t *testing.T) {
	if os.Getenv("CERTAUTH_RATIOS") == "" {
		t.Skip("compares times; set CERTAUTH_RATIOS=1 to run it")
	}
	const n = 20_000
	collect := func() time.Duration {
		var took []time.Duration
		for range 15 {
			begun := time.Now()
			runtime.GC()
			took = append(took, time.Since(begun))
		}
		return slices.Min(took)
	}
	empty := collect()
	der := certauthtest.NewCA(t, "Root").Issue(t, "client").Raw
	bare := func() time.Duration {
		var parsed []*x509.Certificate
		var texts []string
		for range n {
			cert, err := x509.ParseCertificate(slices.Clone(der))
			require.NoError(t, err)
			parsed, texts = append(parsed, cert), append(texts, base64.StdEncoding.EncodeToString(der))
		}
		took := collect() - empty
		runtime.KeepAlive(parsed)
		runtime.KeepAlive(texts)
		return took
	}()
	c := identities(t, n)
	kept := collect() - empty
	runtime.KeepAlive(c)
	t.Logf("a collection takes %s, %s more with %d parsed certificates, %s more with as many identities", empty, bare, n, kept)
	assert.Less(t, float64(kept), 4*float64(bare)+float64(10*time.Millisecond)) // it is the wall clock
}

func millionPins(t testing.TB) *pins.Set {
	t.Helper()
	const n = 1_000_000
	list := make([]string, n)
	var pin [32]byte
	for i := range list {
		binary.BigEndian.PutUint64(pin[:], uint64(i)*0x9E3779B97F4A7C15)
		list[i] = hex.EncodeToString(pin[:])
	}
	set, mistakes := pins.NewSet(pins.Thumbprint, "", list)
	require.Empty(t, mistakes)
	require.Equal(t, n, set.Len())
	return &set
}

// A million pins take at most 51 bytes each.
func TestPins_AMillionStaySmall(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	before := heap()
	set := millionPins(t)
	each := float64(heap()-before) / float64(set.Len())
	t.Logf("%.1f bytes a pin", each)
	assert.LessOrEqual(t, each, 51.0)
	var pin [32]byte
	for i := uint64(0); i < 1_000_000; i += 997 {
		binary.BigEndian.PutUint64(pin[:], i*0x9E3779B97F4A7C15)
		pin[31] = 0
		require.True(t, set.Contains(pin[:]), "pin %d", i)
		pin[31] = 1
		require.False(t, set.Contains(pin[:]), "beside pin %d", i)
	}
	assert.Zero(t, testing.AllocsPerRun(100, func() { set.Contains(pin[:]) }))
}

func BenchmarkPins(b *testing.B) {
	set := millionPins(b)
	var pin [32]byte
	var i uint64
	b.ReportAllocs()
	for b.Loop() {
		i += 7919
		binary.BigEndian.PutUint64(pin[:], i%1_000_000*0x9E3779B97F4A7C15)
		if !set.Contains(pin[:]) {
			b.Fatal("not found")
		}
	}
}

// BenchmarkLookup measures only the look-up, among a thousand.
func BenchmarkLookup(b *testing.B) {
	for _, n := range []int{1, 1024} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			c := newFactCache(factcache.DefaultSize)
			var probes []source.Offer
			for i := range n {
				text := strconv.FormatInt(1<<40+int64(i), 10) + string(make([]byte, 1040))
				p := source.Key{text + strconv.FormatInt(1<<60+int64(i)*7919, 10)}.Offer()
				c.Insert(&facts{Slot: factcache.Slot{Key: p.Key(), Hash: c.Hash(&p)}})
				probes = append(probes, p)
			}
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				p := &probes[i%n]
				i++
				if c.Find(c.Hash(p), p) == nil && n == 1 {
					b.Fatal("not found")
				}
			}
		})
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
