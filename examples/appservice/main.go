// Command appservice is a service for Azure App Service that only a partner's clients
// may call.
package main

import (
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
		Logger: slog.Default(),
	})
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("GET /orders", func(w http.ResponseWriter, r *http.Request) {
		id, _ := certauth.FromContext(r.Context()) // always there: the mode is Required
		fmt.Fprintln(w, "hello,", id.Leaf.Subject.CommonName)
	})
	server := &http.Server{Addr: ":" + os.Getenv("PORT"), Handler: http.DefaultServeMux, ReadHeaderTimeout: 10 * time.Second}
	if err := auth.ConfigureServer(server); err != nil { // every request goes through auth
		log.Fatal(err)
	}
	log.Fatal(server.ListenAndServe())
}
