// Command quickstart is the first program of the README.
package main

import (
	"log"

	"github.com/gin-gonic/gin"
	"github.com/scskit/scskit"
	scsgin "github.com/scskit/scskit/adapters/gin"
	"github.com/scskit/scskit/stores/memstore"
)

func main() {
	store, err := memstore.New(nil) // or redisstore.New, sqlstore.New, ...
	if err != nil {
		log.Fatal(err)
	}
	sessions := scskit.New(store) // a *scs.SessionManager

	r := gin.Default()
	r.Use(scsgin.LoadAndSave(sessions))
	r.GET("/", func(c *gin.Context) {
		ctx := c.Request.Context()
		visits := sessions.GetInt(ctx, "visits") + 1
		sessions.Put(ctx, "visits", visits)
		c.String(200, "visit %d\n", visits)
	})
	log.Fatal(r.Run()) // on port 8080
}
