package certauth_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// manyChains returns a policy with one Chain for each of that many partners, a caller of the last
// one, and the same caller's certificate with other signatures, each of which costs a search.
func manyChains(tb testing.TB, partners int) (auth *certauth.Authenticator, known string, stranger func(worker, i int) string) {
	tb.Helper()
	var last *certauthtest.CA
	var policy certauth.Any
	for i := range partners {
		last = certauthtest.NewCA(tb, fmt.Sprint("Root ", i))
		policy = append(policy, certauth.Named{Name: fmt.Sprint("partner ", i), Policy: chainOf(last)})
	}
	auth, err := certauth.New(certauth.Config{Source: forwarded.AppService{InsecureOutsideAppService: true}, Policy: policy})
	require.NoError(tb, err)
	leaf := last.Issue(tb, "client")
	return auth, leaf.Base64(), func(worker, i int) string {
		forged := slices.Clone(leaf.Raw)
		at := len(forged) - 20
		forged[at], forged[at+1], forged[at+2], forged[at+3] = byte(i), byte(i>>8), byte(i>>16), byte(worker)
		return base64.StdEncoding.EncodeToString(forged)
	}
}

// BenchmarkChains measures a known caller's request with one Chain per partner, alone and together
// with 256 unknown callers who keep every search busy. The median shows the cost of the request
// itself; the mean includes the time that the scheduler gives to the others.
func BenchmarkChains(b *testing.B) {
	for _, strangers := range []int{0, 256} {
		for _, n := range []int{1, 16, 17, 64, 256} {
			b.Run(fmt.Sprintf("%d strangers/%d partners", strangers, n), func(b *testing.B) {
				auth, known, stranger := manyChains(b, n)
				h := auth.Handler(http.HandlerFunc(finalWithIdentity))
				run := serve(b, h, known)
				run(6)
				stop := make(chan struct{})
				var crowd sync.WaitGroup
				for worker := range strangers {
					crowd.Go(func() {
						r := realRequest(b)
						for i := 0; ; i++ {
							select {
							case <-stop:
								return
							default:
							}
							r.Header[certHeader] = []string{stranger(worker, i)}
							_, _ = auth.Check(r)
						}
					})
				}
				var took []time.Duration
				for b.Loop() {
					begun := time.Now()
					run(1)
					took = append(took, time.Since(begun))
				}
				close(stop)
				crowd.Wait()
				slices.Sort(took)
				median := took[len(took)/2]
				b.ReportMetric(float64(median), "ns-median")
				b.ReportMetric(float64(median)/float64(n), "ns-median/Chain")
			})
		}
	}
}
