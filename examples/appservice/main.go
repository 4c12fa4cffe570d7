// Command appservice is a service for Azure App Service that only a partner's clients
// may call. README.md says how to deploy it, and how to run it here:
//
//	go run ./examples/appservice/local
package main

import (
	"cmp"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

func main() {
	auth, err := certauth.New(certauth.Config{
		Source: forwarded.AppService{},
		Policy: certauth.All{
			certauth.Chain{Roots: certauth.PEMFile("partner-roots.pem"), Intermediates: certauth.PEMFile("partner-issuing.pem")},
			certauth.DNSNames{"orders.partner.example"},
		},
		Exclusions: []certauth.Exclusion{{
			Path: "/health", Reason: "platform probe carries no certificate", Control: "returns no data",
		}},
		Logger: slog.Default(),
	})
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("GET /health", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("GET /orders", func(w http.ResponseWriter, r *http.Request) {
		id, _ := certauth.FromContext(r.Context()) // always there: Optional is not set
		fmt.Fprintln(w, "hello,", id.Leaf.Subject.CommonName)
	})
	server := &http.Server{Addr: ":" + cmp.Or(os.Getenv("PORT"), "8080"), Handler: http.DefaultServeMux, ReadHeaderTimeout: 10 * time.Second}
	if err := auth.ConfigureServer(server); err != nil { // every request goes through auth
		log.Fatal(err)
	}
	log.Fatal(server.ListenAndServe())
}
