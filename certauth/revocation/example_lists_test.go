package revocation_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// CRLs that the operator provides, as files that another program keeps up to date: nothing is
// fetched, and the service is not ready before they have been read.
func ExampleChecker_Preload() {
	folder, err := os.MkdirTemp("", "crls")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(folder) }()
	ca := certauthtest.NewCA(exampleTB{}, "Partner Root")
	good, gone := ca.Issue(exampleTB{}, "good"), ca.Issue(exampleTB{}, "gone")
	partner := certauthtest.NewCRLServer(exampleTB{}, ca)
	partner.Revoke(gone.SerialNumber, 1)

	checker, err := revocation.New(revocation.Config{
		Lists:                 []revocation.List{{Dir: folder}},
		Issuers:               []*x509.Certificate{ca.Certificate}, // whose lists are trusted
		IgnoreCertificateURLs: true,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = checker.Close() }()
	probe := func(w http.ResponseWriter, _ *http.Request) {
		if checker.Ready() != nil { // the log contains more than the answer to a probe
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}

	fmt.Println("an empty folder:", checker.Preload(context.Background()) != nil, probed(probe))
	list, err := partner.CRL()
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := os.WriteFile(filepath.Join(folder, "partner.crl"), list, 0o600); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("the list is there:", checker.Preload(context.Background()) != nil, probed(probe))
	for _, client := range []*certauthtest.Certificate{good, gone} {
		found, err := checker.CheckChain(context.Background(), []*x509.Certificate{client.Certificate, ca.Certificate})
		fmt.Println(client.Subject.CommonName, found.Status, err)
	}
	// Output:
	// an empty folder: true 503
	// the list is there: false 200
	// good good <nil>
	// gone revoked <nil>
}

func probed(probe http.HandlerFunc) int {
	w := httptest.NewRecorder()
	probe(w, httptest.NewRequest(http.MethodGet, "/ready", nil))
	return w.Code
}
