// Write code together: every pad is one ShareJS document, kept in memory.
"use strict";

const path = require("path");
const express = require("express");
const share = require("share");

const PAD = /^[a-z0-9-]{1,40}$/;
const app = express();

app.get("/", (request, response) => response.redirect("/pad/hello"));
app.get("/pad/:name", (request, response, next) => {
  if (!PAD.test(request.params.name)) return next();
  response.sendFile(path.join(__dirname, "public", "pad.html"));
});
app.use(express.static(path.join(__dirname, "public"), { index: false }));

// ShareJS answers /channel (BrowserChannel: long polling) and /share (its browser code).
const server = share.server.attach(app, { db: { type: "none" } });
const port = process.env.PORT || 8000;
server.listen(port, () => console.log(`code.it listens on ${port}`));
process.on("SIGTERM", () => process.exit(0));
