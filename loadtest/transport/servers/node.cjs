// The bench's server on Node's socket.io as it comes. Usage: node node.cjs
const { createServer } = require("node:http");
const { Server } = require("socket.io");

const http = createServer();
const io = new Server(http, { cors: { origin: "*" }, pingInterval: 120000 });

io.on("connection", (socket) => {
  socket.on("join", (room, acknowledge) => {
    socket.join(room);
    acknowledge(true);
  });
  socket.on("edit", (data) => {
    socket.to(data.room).emit("edit", data);
  });
  socket.on("ask", (data, acknowledge) => {
    acknowledge({ ok: true, seq: data.t });
  });
});

http.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => console.log(http.address().port));
